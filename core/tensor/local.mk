# core/tensor
libhone_a_SOURCES += \
	core/tensor/pool.c \
	core/tensor/region.c
