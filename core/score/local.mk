# core/score
libhone_a_SOURCES += core/score/cache.c core/score/cache.h core/score/call.c core/score/call.h \
	core/score/job.h core/score/score.c core/score/score.h core/score/work.c
