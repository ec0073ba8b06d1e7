# core/judge: sources are added with +=
libhone_a_SOURCES += core/judge/figure.c
libhone_a_SOURCES += core/judge/book.c core/judge/book_labels.c
libhone_a_SOURCES += core/judge/data.c core/judge/lint.c core/judge/rubric.c
libhone_a_SOURCES += core/judge/answer.c core/judge/ask.c core/judge/choose.c
