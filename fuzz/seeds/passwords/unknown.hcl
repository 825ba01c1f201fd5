length = 5
rule "words" { chars = "a" }
