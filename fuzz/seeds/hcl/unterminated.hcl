a = "hunter2-hunter2
b = [1, 2
