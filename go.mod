module offswitch

go 1.26
