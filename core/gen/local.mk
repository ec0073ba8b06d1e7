# core/gen
libhone_a_SOURCES += core/gen/gen.c core/gen/gen.h core/gen/sample.c core/gen/sample.h \
    core/gen/grammar.c core/gen/grammar.h core/gen/grammar_int.h core/gen/grammar_check.c core/gen/grammar_run.c \
    core/gen/grammar_number.c core/gen/grammar_pattern.c core/gen/grammar_schema.c core/gen/grammar_schema.h core/gen/grammar_utf8.c core/gen/grammar_vocab.c core/gen/grammar_vocab.h core/gen/guide.c core/gen/guide.h
