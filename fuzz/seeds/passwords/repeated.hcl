length = 10
rule "charset" { charset = "aaab" min-chars = 1 }
rule "charset" { charset = "b" min-chars = 1 }
