# core/ops: ordinary sources here, sources compiled per instruction set in KERN_FILES
libhone_a_SOURCES +=
KERN_FILES +=
