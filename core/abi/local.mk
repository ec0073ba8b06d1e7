# core/abi
libhone_a_SOURCES += \
	core/abi/arrow.c \
	core/abi/arrow_put.c \
	core/abi/arrow_take.c \
	core/abi/config.c \
	core/abi/config_text.c \
	core/abi/desc.c \
	core/abi/desc_builtin.c \
	core/abi/desc_read.c \
	core/abi/loader.c \
	core/abi/package.c \
	core/abi/quarantine.c \
	core/abi/sidecar.c \
	core/abi/sig.c \
	core/abi/trust.c \
	core/abi/wire_get.c \
	core/abi/wire_plan.c \
	core/abi/wire_put.c \
	core/abi/wire_read.c \
	core/abi/wire_stub.c \
	core/abi/wire_take.c
