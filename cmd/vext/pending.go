package main

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/mattn/go-runewidth"
	"github.com/spf13/cobra"

	"vext/internal/backport"
	"vext/internal/calendar"
	"vext/internal/commit"
	"vext/internal/convention"
	"vext/internal/history"
	"vext/server"
)

type pendingOptions struct {
	repository, clone, convention string
	target, committer             string
	conflicts, ready, baking      bool
	dangling, json                bool
}

func newPending(a *app) *cobra.Command {
	var opts pendingOptions
	c := &cobra.Command{
		Use:   "pending",
		Short: "Show what is still to be merged, as the repository has it",
		Long: `Shows every commit of a repository that asks to be merged and is not yet on all of its
target branches, with its state on each, and the later commits that fix it. Below are
the fixes of merged commits that nobody has asked to merge.

The repository is read, not the queue. It is one that is followed, has a hook of vext, or
a clone that the configuration names. -C reads a clone without any configuration.`,
		Example: `  vext pending
  vext pending --repository src --target stable/15
  vext pending --committer ida --conflicts
  vext pending -C ~/src
  vext pending --json | jq -r '.[].command["stable/15"] // empty'`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return pending(cmd.Context(), a, opts) },
	}
	flags := c.Flags()
	flags.StringVar(&opts.repository, "repository", "", "the `NAME` of the repository; needed when there are several")
	flags.StringVarP(&opts.clone, "clone", "C", "", "read the clone at `PATH`")
	flags.StringVar(&opts.convention, "convention", "", "the `NAME` of the convention of a clone, with -C")
	flags.StringVar(&opts.target, "target", "", "only this target `BRANCH`")
	flags.StringVar(&opts.committer, "committer", "", "only commits of `NAME`: a login, an address, or a part of the name")
	flags.BoolVar(&opts.conflicts, "conflicts", false, "only what does not apply")
	flags.BoolVar(&opts.ready, "ready", false, "only what is due")
	flags.BoolVar(&opts.baking, "baking", false, "only what is not due yet")
	flags.BoolVar(&opts.dangling, "dangling", false, "only fixes of merged commits that nobody has asked to merge")
	flags.BoolVar(&opts.json, "json", false, "print JSON")
	c.MarkFlagsMutuallyExclusive("ready", "baking", "dangling")
	c.MarkFlagsMutuallyExclusive("repository", "clone")
	completeRepository(a, c)
	completeNames(a, c, "committer", func(e *history.Event) string { return commit.Login(e.Address) }, noMore)
	return c
}

// A pendingItem is a commit that is still to be merged.
type pendingItem struct {
	Revision  string    `json:"revision"`
	Subject   string    `json:"subject"`
	Committer string    `json:"committer"`
	Address   string    `json:"address,omitempty"`
	Committed time.Time `json:"committed,omitzero"`
	Asked     string    `json:"asked,omitempty"`
	Due       string    `json:"due,omitempty"`    // YYYY-MM-DD
	FixOf     string    `json:"fix_of,omitempty"` // the merged commit, of a dangling fix
	backport.Report

	day calendar.Day
}

func pending(ctx context.Context, a *app, opts pendingOptions) error {
	p := &pendingView{opts: opts}
	if err := p.open(ctx, a); err != nil {
		return err
	}
	if err := p.find(ctx); err != nil {
		return err
	}
	if opts.json {
		return printJSON(a.stdout, p.items)
	}
	w := bufio.NewWriter(a.stdout)
	defer w.Flush()
	p.print(w, styleFor(a.stdout))
	return nil
}

// A pendingView is what is found and how it is shown.
type pendingView struct {
	opts      pendingOptions
	one       *server.Lookable
	backports *server.Backports // nil for a clone without a configuration
	now       time.Time
	zone      *time.Location
	today     calendar.Day
	items     []pendingItem
}

// open opens the clone or the repository of the flags.
func (p *pendingView) open(ctx context.Context, a *app) error {
	s, err := a.load()
	if err != nil {
		return err
	}
	p.now, p.zone = s.Now(), s.Config.Zone
	if p.opts.clone != "" {
		p.one, err = server.OpenLookable(ctx, p.opts.clone, p.opts.convention)
	} else if _, q, openErr := a.open(); openErr != nil {
		err = openErr
	} else {
		p.backports = s.Backports(q)
		p.one, err = p.backports.Choose(ctx, p.opts.repository)
	}
	p.today = calendar.Of(p.now, p.zone)
	return err
}

// find reads what is pending, and the states.
func (p *pendingView) find(ctx context.Context) error {
	p.items = []pendingItem{}
	var questions []backport.Question
	if !p.opts.dangling {
		commits, err := p.one.Asking(ctx, nil)
		if err != nil {
			return err
		}
		for _, c := range commits {
			if item, targets, ok := p.item(c); ok {
				p.items = append(p.items, item)
				questions = append(questions, p.question(c.Revision, targets))
			}
		}
	}
	questions, err := p.addDangling(ctx, questions)
	if err == nil {
		questions, err = p.keepOpen(ctx, questions)
	}
	if err != nil {
		return err
	}
	reports, err := p.one.Look(ctx, questions, true)
	if err != nil {
		return err
	}
	for i := range p.items {
		p.items[i].Report = reports[i]
	}
	if p.opts.conflicts {
		p.items = slices.DeleteFunc(p.items, func(item pendingItem) bool {
			return !slices.ContainsFunc(item.Targets, func(t backport.Target) bool { return t.State == backport.Conflict })
		})
	}
	return nil
}

// question returns a question, with what persons have said.
func (p *pendingView) question(revision string, targets []string) backport.Question {
	if p.backports == nil {
		return backport.Question{Revision: revision, Targets: targets}
	}
	return p.backports.Question(p.one, revision, targets)
}

// item returns a commit that asks, unless the flags leave it out.
func (p *pendingView) item(c *commit.Commit) (item pendingItem, targets []string, ok bool) {
	request, ok := p.one.Ask(c.Message)
	if !ok || !p.isCommitter(c.Committer) {
		return item, nil, false
	}
	targets = p.targets(p.one.Targets(request, p.one.Branches()))
	item = pendingItem{
		Revision: c.Revision, Subject: c.Subject, Committer: c.Committer.Name, Address: c.Committer.Email,
		Committed: c.Date, Asked: request.Line(),
	}
	if day, err := c.Due(request.Period, c.Date, p.now, p.zone); err == nil {
		item.day, item.Due = day, day.ISO()
	}
	isReady := !p.today.Before(item.day)
	return item, targets, len(targets) > 0 && !(p.opts.ready && !isReady) && !(p.opts.baking && isReady)
}

func (p *pendingView) isCommitter(who commit.Person) bool {
	return p.opts.committer == "" || isCommitter(&history.Event{Address: who.Email, Committer: who.Name}, p.opts.committer)
}

// targets returns those of the branches that the flags choose.
func (p *pendingView) targets(all []string) []string {
	if p.opts.target == "" {
		return all
	}
	return slices.DeleteFunc(slices.Clone(all), func(name string) bool { return name != commit.BranchName(p.opts.target) })
}

// addDangling adds the fixes that do not ask themselves.
func (p *pendingView) addDangling(ctx context.Context, questions []backport.Question) ([]backport.Question, error) {
	if p.opts.ready || p.opts.baking {
		return questions, nil
	}
	places := map[string]int{}
	for _, name := range p.targets(p.one.Targets(convention.Request{}, p.one.Branches())) {
		fixes, err := p.one.Dangling(ctx, name)
		if err != nil {
			return nil, err
		}
		for _, fix := range fixes {
			at, known := places[fix.Revision]
			if !known {
				if !p.isCommitter(commit.Person{Name: fix.Who}) || p.backports != nil && p.backports.IsNoFix(p.one, &fix) {
					continue
				}
				at = len(questions)
				places[fix.Revision] = at
				p.items = append(p.items, pendingItem{Revision: fix.Revision, Subject: fix.Subject, Committer: fix.Who, FixOf: fix.Fixes})
				questions = append(questions, p.question(fix.Revision, nil))
			}
			questions[at].Targets = append(questions[at].Targets, name)
		}
	}
	return questions, nil
}

// keepOpen leaves out what is merged everywhere, and what was reverted: neither is worth a
// test pick.
func (p *pendingView) keepOpen(ctx context.Context, questions []backport.Question) ([]backport.Question, error) {
	reports, err := p.one.Look(ctx, questions, false)
	if err != nil {
		return nil, err
	}
	var open []backport.Question
	items := []pendingItem{}
	for i := range reports {
		if isOpen(&reports[i]) {
			open, items = append(open, questions[i]), append(items, p.items[i])
		}
	}
	p.items = items
	return open, nil
}

// isOpen reports whether there is something to merge, as far as is known without a test.
func isOpen(r *backport.Report) bool {
	isLeft := func(t backport.Target) bool { return t.State != backport.Merged && t.State != backport.NotWanted }
	return r.Reverted == nil && (len(r.Command) > 0 || slices.ContainsFunc(r.Targets, isLeft))
}

// columns returns the branches that any item has, newest first.
func (p *pendingView) columns() []string {
	var all []string
	for i := range p.items {
		for _, t := range p.items[i].Targets {
			if !slices.Contains(all, t.Branch) {
				all = append(all, t.Branch)
			}
		}
	}
	order := p.one.Targets(convention.Request{Targets: all}, all)
	slices.SortStableFunc(all, func(a, b string) int { return cmp.Compare(slices.Index(order, a), slices.Index(order, b)) })
	return all
}

// ready says when a commit is due, or which merged commit it fixes.
func (p *pendingView) ready(item *pendingItem) string {
	switch {
	case item.FixOf != "":
		return "fixes " + commit.ShortRevision(item.FixOf)
	case item.Due == "":
		return "not understood"
	case p.today.Before(item.day):
		return item.day.Short(p.today) + ", " + item.day.Distance(p.today)
	}
	return fmt.Sprintf("since %s", item.day.Short(p.today))
}

// A pendingRow is a line of the table: a commit, or below it a fix.
type pendingRow struct {
	isFix                     bool
	commit, who, day, subject string
	cells                     []string // the states, by columns
	details                   []string // lines below it
}

// print prints the table, in the order of the branch.
func (p *pendingView) print(w io.Writer, s style) {
	if len(p.items) == 0 {
		fmt.Fprintln(w, "nothing is pending")
		return
	}
	columns := p.columns()
	rows := []pendingRow{{commit: "COMMIT", who: "COMMITTER", day: "READY", cells: columns, subject: "SUBJECT"}}
	for i := range p.items {
		rows = append(rows, p.rows(&p.items[i], columns)...)
	}
	widths := make([]int, 3+len(columns))
	for i := range rows {
		for n, value := range rows[i].values() {
			widths[n] = max(widths[n], runewidth.StringWidth(printable(value)))
		}
	}
	for i := range rows {
		rows[i].print(w, s, widths, i == 0)
	}
}

// rows returns the lines of an item.
func (p *pendingView) rows(item *pendingItem, columns []string) []pendingRow {
	rows := []pendingRow{{
		commit: commit.ShortRevision(item.Revision), who: cmp.Or(commit.Login(item.Address), item.Committer),
		day: p.ready(item), cells: cells(item.Targets, columns), subject: item.Subject, details: details(item.Targets),
	}}
	for _, fix := range item.Fixes {
		rows = append(rows, pendingRow{
			isFix: true, commit: "+ " + commit.ShortRevision(fix.Revision), who: fix.Who,
			cells: cells(fix.Targets, columns), subject: fix.Subject, details: details(fix.Targets),
		})
	}
	return rows
}

func (r *pendingRow) values() []string { return append([]string{r.commit, r.who, r.day}, r.cells...) }

func (r *pendingRow) print(w io.Writer, s style, widths []int, isHeading bool) {
	var b strings.Builder
	for n, value := range r.values() {
		value = column(value, widths[n]) + "  "
		switch {
		case isHeading:
		case n == 0:
			value = s.yellow(value)
		case n > 2:
			value = stateColour(s, r.cells[n-3])(value)
		}
		b.WriteString(value)
	}
	line := strings.TrimRight(b.String()+printable(r.subject), " ")
	if isHeading {
		line = s.bold(line)
	}
	fmt.Fprintln(w, line)
	for _, detail := range r.details {
		fmt.Fprintf(w, "%s  %s\n", strings.Repeat(" ", widths[0]), s.dim(printable(detail)))
	}
}

// cells returns the states on the branches of the columns.
func cells(targets []backport.Target, columns []string) []string {
	all := make([]string, len(columns))
	for i, name := range columns {
		all[i] = "-"
		if at := slices.IndexFunc(targets, func(t backport.Target) bool { return t.Branch == name }); at >= 0 {
			all[i] = stateWords(&targets[at])
		}
	}
	return all
}

// stateWord are the states for people, where they are others than on disk.
var stateWord = map[backport.State]string{
	backport.ProbablyMerged: "probably merged", backport.Clean: "applies", backport.Conflict: "conflicts",
	backport.NothingToDo: "nothing to do", backport.NotWanted: "not wanted",
}
