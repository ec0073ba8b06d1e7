# core/text
libhone_a_SOURCES += \
	core/text/bpe_train.c \
	core/text/chat.c \
	core/text/jinja.c \
	core/text/jinja_filter.c \
	core/text/jinja_format.c \
	core/text/jinja_lex.c \
	core/text/jinja_method.c \
	core/text/jinja_parse.c \
	core/text/jinja_prose.c \
	core/text/jinja_seq.c \
	core/text/jinja_test.c \
	core/text/jinja_text.c \
	core/text/jinja_value.c \
	core/text/parts.c \
	core/text/tokenizer.c \
	core/text/unicode.c \
	core/text/unigram_train.c
