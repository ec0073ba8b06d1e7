# core/train
libhone_a_SOURCES +=
