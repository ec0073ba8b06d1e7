# plugins/judge: each folder here with .c files is one plugin, found by itself (GNU make).
# Extra libraries and flags: <folder>_LIBS = -lpcre2-8, <folder>_CFLAGS = ...
rubric_LIBS = -lm
reward_model_LIBS = -lm
