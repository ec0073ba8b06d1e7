# core/ops: ordinary sources here, sources compiled per instruction set in KERN_FILES
libhone_a_SOURCES += \
	core/ops/cpu.c \
	core/ops/gemm.c \
	core/ops/linear.c
KERN_FILES += \
	core/ops/kern/gemm.c
