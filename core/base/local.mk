# core/base
libhone_a_SOURCES += \
	core/base/alloc.c \
	core/base/error.c \
	core/base/paths.c
