# core/graph
libhone_a_SOURCES +=
