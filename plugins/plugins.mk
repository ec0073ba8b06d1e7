# plugins/plugins.mk - builds every plugins/<kind>/<name>/ into $(OUT)/<name>.so by sdk/hone.mk.
#
# Called by the top Makefile with srcdir, OUT, HONE, CC, EXTRA_CFLAGS. A folder with .c files is a
# plugin; plugins/<kind>/local.mk may set <name>_LIBS, <name>_CFLAGS and <name>_SOURCES (files of a neighbour that it is
# built from too), and PLUGINS_LEFT_OUT, names whose library is not here. Plugins see sdk/include and nothing else of
# the tree.
OUT ?= plugins
PLUGIN_DIRS := $(patsubst %/,%,$(sort $(dir $(wildcard $(srcdir)/plugins/*/*/*.c))))
include $(sort $(wildcard $(srcdir)/plugins/*/local.mk))
PLUGIN_DIRS := $(foreach d,$(PLUGIN_DIRS),$(if $(filter $(PLUGINS_LEFT_OUT),$(notdir $d)),,$d))

PLUGIN_NAMES := $(notdir $(PLUGIN_DIRS))
ifneq ($(words $(PLUGIN_NAMES)),$(words $(sort $(PLUGIN_NAMES))))
$(error two plugin folders have the same name: $(PLUGIN_NAMES))
endif

.PHONY: plugins $(PLUGIN_DIRS)
plugins: $(PLUGIN_DIRS)
$(PLUGIN_DIRS):
	+@$(MAKE) --no-print-directory -f $(srcdir)/sdk/hone.mk PLUGIN=$(notdir $@) \
		SOURCES="$(sort $(wildcard $@/*.c)) $($(notdir $@)_SOURCES)" OUT="$(OUT)" HONE="$(HONE)" V="$(V)" \
		LIBS="$($(notdir $@)_LIBS)" CFLAGS="-O2 -g $($(notdir $@)_CFLAGS) $(EXTRA_CFLAGS)"
