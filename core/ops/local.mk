# core/ops: ordinary sources here, sources compiled per instruction set in KERN_FILES
libhone_a_SOURCES += \
	core/ops/activation.c \
	core/ops/attention.c \
	core/ops/blas.c \
	core/ops/cpu.c \
	core/ops/elementwise.c \
	core/ops/embed.c \
	core/ops/gemm.c \
	core/ops/head.c \
	core/ops/layernorm.c \
	core/ops/linear.c \
	core/ops/linear_divergence.c \
	core/ops/linear_logprob.c \
	core/ops/logits.c \
	core/ops/magnitude.c \
	core/ops/matmul.c core/ops/matmul.h \
	core/ops/op_util.c \
	core/ops/registry.c \
	core/ops/reshape.c \
	core/ops/rmsnorm.c \
	core/ops/rope.c \
	core/ops/rope_table.c \
	core/ops/storage.c
KERN_FILES += \
	core/ops/kern/attention.c \
	core/ops/kern/divergence.c \
	core/ops/kern/elementwise.c \
	core/ops/kern/gated.c \
	core/ops/kern/gemm.c \
	core/ops/kern/logits.c \
	core/ops/kern/norm.c \
	core/ops/kern/read.c \
	core/ops/kern/rows_table.c
