# every kind of value
a = true b = -1 c = 0x1F d = 1.5e3 e = 0755 // more
/* and */ f = "x\ty \"q\" \u00e4 \x41 \101 \U0001F600 ${file("x")}"
g = [1, "b", true, [2], {c = 3},]
h = <<-EOF
    foo
      hunter2-hunter2
    EOF
"i j" = "hunter2-hunter2"
