# core/tensor
libhone_a_SOURCES +=
