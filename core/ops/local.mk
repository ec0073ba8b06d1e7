# core/ops: ordinary sources here, sources compiled per instruction set in KERN_FILES
libhone_a_SOURCES += \
	core/ops/blas.c \
	core/ops/cpu.c \
	core/ops/embed.c \
	core/ops/gemm.c \
	core/ops/linear.c \
	core/ops/linear_logprob.c \
	core/ops/logits.c
KERN_FILES += \
	core/ops/kern/gemm.c
