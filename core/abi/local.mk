# core/abi
libhone_a_SOURCES += \
	core/abi/config.c \
	core/abi/config_text.c \
	core/abi/desc.c \
	core/abi/desc_builtin.c \
	core/abi/hostif.c \
	core/abi/instance.c \
	core/abi/loader.c \
	core/abi/package.c \
	core/abi/policy.c \
	core/abi/trust.c \
	core/abi/regex.c \
	core/abi/registry.c \
	core/abi/sandbox.c \
	core/abi/sandbox_landlock.c \
	core/abi/sandbox_run.c \
	core/abi/sandbox_seccomp.c \
	core/abi/sandbox_spawn.c \
	core/abi/sidecar.c \
	core/abi/sig.c \
	core/abi/wire_get.c \
	core/abi/wire_plan.c \
	core/abi/wire_put.c \
	core/abi/wire_read.c \
	core/abi/wire_stub.c \
	core/abi/wire_take.c
