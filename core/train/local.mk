# core/train
libhone_a_SOURCES += \
	core/train/schedule.c
