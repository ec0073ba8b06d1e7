# plugins/reward: each folder here with .c files is one plugin, found by itself (GNU make).
# Extra libraries and flags: <folder>_LIBS = -lpcre2-8, <folder>_CFLAGS = ...
rewards_LIBS = -lm
command_CFLAGS = -D_XOPEN_SOURCE=700
