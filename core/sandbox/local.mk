# core/sandbox
libhone_a_SOURCES += \
	core/sandbox/launch.c \
	core/sandbox/pin.c \
	core/sandbox/sandbox.c \
	core/sandbox/sandbox_count.c \
	core/sandbox/sandbox_landlock.c \
	core/sandbox/sandbox_run.c \
	core/sandbox/sandbox_seccomp.c \
	core/sandbox/sandbox_spawn.c
