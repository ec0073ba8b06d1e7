// The macro of simple.c in C++17.
#include "simple.c"
