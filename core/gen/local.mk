# core/gen
libhone_a_SOURCES +=
