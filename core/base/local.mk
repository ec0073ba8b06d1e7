# core/base
libhone_a_SOURCES += \
	core/base/alloc.c \
	core/base/arena.c \
	core/base/buf.c \
	core/base/clock.c \
	core/base/error.c \
	core/base/file.c \
	core/base/fp.c \
	core/base/hash.c \
	core/base/json_read.c \
	core/base/json_write.c \
	core/base/library.c \
	core/base/log.c \
	core/base/map.c \
	core/base/math64.c \
	core/base/memory.c \
	core/base/messages.c \
	core/base/paths.c \
	core/base/rng.c \
	core/base/trace.c \
	core/base/utf8.c \
	core/base/value.c
