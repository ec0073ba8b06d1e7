# core/nn
libhone_a_SOURCES +=
