a = <<EOF
hunter2-hunter2
EO
