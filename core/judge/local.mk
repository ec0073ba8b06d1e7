# core/judge: sources are added with +=
libhone_a_SOURCES += core/judge/agreement.c core/judge/alt_test.c core/judge/boot.c core/judge/calibration_curve.c \
	core/judge/confusion.c core/judge/dist.c core/judge/figure.c core/judge/icc.c core/judge/interval.c \
	core/judge/length_control.c core/judge/rank.c core/judge/reliability.c core/judge/strength.c
libhone_a_SOURCES += core/judge/attack.c core/judge/attack_make.c
libhone_a_SOURCES += core/judge/book.c core/judge/book_labels.c
libhone_a_SOURCES += core/judge/data.c core/judge/lint.c core/judge/rubric.c
libhone_a_SOURCES += core/judge/answer.c core/judge/ask.c core/judge/choose.c
libhone_a_SOURCES += core/judge/calibrate.c core/judge/calibrate_json.c core/judge/calibrate_parts.c core/judge/joined.c core/judge/joined_prompts.c core/judge/joined_rows.c core/judge/report.c core/judge/within.c
libhone_a_SOURCES += core/judge/prompt.c core/judge/prompt_neutral.c
libhone_a_SOURCES += core/judge/reply.c
libhone_a_SOURCES += core/judge/judging.c core/judge/judging_ask.c core/judge/judging_settle.c
libhone_a_SOURCES += core/judge/labels.c core/judge/labels_settle.c core/judge/labels_take.c core/judge/labels_view.c core/judge/pick.c core/judge/disagree.c core/judge/label_file.c
libhone_a_SOURCES += core/judge/changes.c
libhone_a_SOURCES += core/judge/gate.c core/judge/gate_record.c core/judge/key.c core/judge/warrant.c
libhone_a_SOURCES += core/judge/listwise.c core/judge/listwise_figures.c
