# core/score
libhone_a_SOURCES +=
