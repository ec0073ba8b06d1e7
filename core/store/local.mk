# core/store
libhone_a_SOURCES +=
