# core/store
libhone_a_SOURCES += core/store/run.c core/store/run.h core/store/journal.c core/store/journal.h
