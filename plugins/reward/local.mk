# plugins/reward: each folder here with .c files is one plugin, found by itself (GNU make).
# Extra libraries and flags: <folder>_LIBS = -lpcre2-8, <folder>_CFLAGS = ...
rewards_LIBS = -lm
# command has a source as well: it gathers rows as those of plugins/source/sources do.
command_CFLAGS = -D_XOPEN_SOURCE=700 $(feed_CFLAGS)
command_SOURCES = $(feed_FILES)
# text shares the batch loop of rewards.
text_SOURCES = $(srcdir)/plugins/reward/rewards/common.c
text_CFLAGS = -I$(srcdir)/plugins
text_LIBS = -lm -lutf8proc
