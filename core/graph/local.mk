# core/graph
libhone_a_SOURCES += \
	core/graph/ops.c \
	core/graph/plan.c \
	core/graph/run.c \
	core/graph/tape.c
