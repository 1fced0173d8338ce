module interop/stage

go 1.24
