# core/lua
libhone_a_SOURCES += \
	core/lua/component.c \
	core/lua/component_source.c \
	core/lua/ffi.c \
	core/lua/marshal.c \
	core/lua/pattern.c \
	core/lua/sandbox.c \
	core/lua/state.c \
	core/lua/value.c
