# core/text
libhone_a_SOURCES += \
	core/text/tokenizer.c \
	core/text/utf8.c
