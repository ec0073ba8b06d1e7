# core/text
libhone_a_SOURCES +=
