# core/judge: sources are added with +=
libhone_a_SOURCES += core/judge/figure.c
