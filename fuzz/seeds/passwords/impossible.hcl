length = 5
rule "charset" { charset = "" min-chars = 1 }
rule "charset" { charset = "x" }
