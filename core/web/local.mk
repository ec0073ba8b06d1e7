# core/web
libhone_a_SOURCES += core/web/rundir.c core/web/html.c core/web/page.c core/web/chart.c core/web/curves.c \
	core/web/story.c core/web/report.c core/web/bench_page.c core/web/judge_page.c
