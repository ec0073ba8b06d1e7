# core/web
libhone_a_SOURCES += core/web/rundir.c core/web/follow.c core/web/html.c core/web/page.c core/web/chart.c core/web/curves.c core/web/differ.c \
	core/web/story.c core/web/recipe_tables.c core/web/report.c core/web/bench_page.c core/web/judge_page.c core/web/serve.c core/web/mhd.c
# The labelling page: files of its own, put into the program as bytes.
libhone_a_SOURCES += core/web/label_page.c
nodist_libhone_a_SOURCES = core/web/label_files.c
LABEL_FILES = label.html label.css label.js worker.js icon.svg
LABEL_NAMED = label.html=hone__label_html label.css=hone__label_css label.js=hone__label_js worker.js=hone__label_worker icon.svg=hone__label_icon
CLEANFILES = core/web/label_files.c
core/web/label_files.c: $(addprefix $(srcdir)/core/web/label/,$(LABEL_FILES)) $(srcdir)/scripts/lib/embed.sh
	@mkdir -p core/web
	$(AM_V_GEN)$(SHELL) $(srcdir)/scripts/lib/embed.sh $(addprefix $(srcdir)/core/web/label/,$(LABEL_NAMED)) >$@.new && mv $@.new $@
