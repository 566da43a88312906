module control/echo

go 1.19
