# plugins/optimizer: each folder here with .c files is one plugin, found by itself (GNU make).
# Extra libraries and flags: <folder>_LIBS = -lpcre2-8, <folder>_CFLAGS = ...
optimizers_CFLAGS = -O3 -fno-math-errno
optimizers_LIBS = -lm
