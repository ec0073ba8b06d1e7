# core/score
libhone_a_SOURCES += core/score/score.c core/score/score.h core/score/call.c core/score/call.h
