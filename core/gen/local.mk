# core/gen
libhone_a_SOURCES += core/gen/gen.c core/gen/gen.h core/gen/sample.c core/gen/sample.h
