length = 5
rule "charset" { charset = "a" min-chars = 6 }
