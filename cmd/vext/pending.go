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
		Long: `Show every commit of a repository that asks for a merge and is not merged to all of its
target branches, with its state on each and its fixes. The repository is read, not the queue.`,
		Example: `  vext pending
  vext pending --repository src --target stable/15
  vext pending --committer ida --conflicts
  vext pending -C ~/src                     a clone, without any configuration
  vext pending --json | jq -r '.[].command["stable/15"] // empty'`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return pending(cmd.Context(), a, opts) },
	}
	flags := c.Flags()
	flags.StringVar(&opts.repository, "repository", "", "the name of the repository; needed when there are several")
	flags.StringVarP(&opts.clone, "clone", "C", "", "look at the clone in this directory")
	flags.StringVar(&opts.convention, "convention", "", "how its project asks, with -C")
	flags.StringVar(&opts.target, "target", "", "only this branch")
	flags.StringVar(&opts.committer, "committer", "", "only commits of this address or login")
	flags.BoolVar(&opts.conflicts, "conflicts", false, "only what does not apply")
	flags.BoolVar(&opts.ready, "ready", false, "only what is due")
	flags.BoolVar(&opts.baking, "baking", false, "only what is not due yet")
	flags.BoolVar(&opts.dangling, "dangling", false, "only fixes of merged commits that nobody has asked to merge")
	flags.BoolVar(&opts.json, "json", false, "print JSON")
	c.MarkFlagsMutuallyExclusive("ready", "baking", "dangling")
	c.MarkFlagsMutuallyExclusive("repository", "clone")
	return c
}

// A pendingItem is a commit that is still to be merged.
type pendingItem struct {
	Revision  string        `json:"revision"`
	Subject   string        `json:"subject"`
	Committer commit.Person `json:"committer"`
	Committed time.Time     `json:"committed"`
	Asked     string        `json:"asked,omitempty"`
	Due       string        `json:"due,omitempty"` // YYYY-MM-DD
	Dangling  bool          `json:"dangling,omitempty"`
	backport.Report

	day calendar.Day
}

func pending(ctx context.Context, a *app, opts pendingOptions) error {
	one, now, zone, err := openLookable(ctx, a, &opts)
	if err != nil {
		return err
	}
	p := &pendingView{a: a, opts: opts, one: one, now: now, zone: zone, today: calendar.Of(now, zone)}
	if err := p.find(ctx); err != nil {
		return err
	}
	if opts.json {
		return p.printJSON()
	}
	w := bufio.NewWriter(a.stdout)
	defer w.Flush()
	p.print(w)
	return nil
}

// openLookable opens the clone or the repository of the flags.
func openLookable(ctx context.Context, a *app, opts *pendingOptions) (*server.Lookable, time.Time, *time.Location, error) {
	if opts.clone != "" {
		s, err := a.load()
		if err != nil {
			return nil, time.Time{}, nil, err
		}
		one, err := server.OpenLookable(ctx, opts.clone, opts.convention)
		return one, s.Now(), s.Config.Zone, err
	}
	s, q, err := a.open()
	if err != nil {
		return nil, time.Time{}, nil, err
	}
	one, err := s.Backports(q).Choose(ctx, opts.repository)
	return one, q.Now, q.Zone, err
}

// A pendingView is what is found and how it is shown.
type pendingView struct {
	a       *app
	opts    pendingOptions
	one     *server.Lookable
	now     time.Time
	zone    *time.Location
	today   calendar.Day
	items   []pendingItem
	columns []string // the branches
}

// find reads what is pending, and the states.
func (p *pendingView) find(ctx context.Context) error {
	commits, err := p.one.Asking(ctx, nil)
	if err != nil {
		return err
	}
	var questions []backport.Question
	for _, c := range commits {
		item, targets, ok := p.item(c)
		if !ok {
			continue
		}
		p.items = append(p.items, item)
		questions = append(questions, backport.Question{Revision: c.Revision, Targets: targets})
	}
	if p.opts.dangling {
		p.items, questions = nil, nil
	}
	if questions, err = p.addDangling(ctx, questions); err != nil {
		return err
	}
	if questions, err = p.keepOpen(ctx, questions); err != nil {
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
	p.findColumns()
	return nil
}

// item returns a commit that asks, unless the flags leave it out.
func (p *pendingView) item(c *commit.Commit) (item pendingItem, targets []string, ok bool) {
	request, ok := p.one.Ask(c.Message)
	if !ok || p.opts.committer != "" && !strings.EqualFold(p.opts.committer, c.Committer.Email) && !strings.EqualFold(p.opts.committer, c.Committer.Login()) {
		return item, nil, false
	}
	targets = p.targets(p.one.Targets(request, p.one.Branches()))
	item = pendingItem{Revision: c.Revision, Subject: c.Subject, Committer: c.Committer, Committed: c.Date, Asked: request.Line()}
	if day, err := c.Due(request.Period, c.Date, p.now, p.zone); err == nil {
		item.day, item.Due = day, day.ISO()
	}
	isReady := !p.today.Before(item.day)
	ok = len(targets) > 0 && !(p.opts.ready && !isReady) && !(p.opts.baking && isReady)
	return item, targets, ok
}

// targets returns those of the branches that the flags choose.
func (p *pendingView) targets(all []string) []string {
	if p.opts.target == "" {
		return all
	}
	return slices.DeleteFunc(slices.Clone(all), func(name string) bool { return name != p.opts.target })
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
				at = len(questions)
				places[fix.Revision] = at
				p.items = append(p.items, pendingItem{Revision: fix.Revision, Subject: fix.Subject, Committer: commit.Person{Name: fix.Who},
					Asked: "fixes " + commit.ShortRevision(fix.Fixes), Dangling: true})
				questions = append(questions, backport.Question{Revision: fix.Revision})
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
	var items []pendingItem
	for i, r := range reports {
		if len(r.Command) > 0 {
			open, items = append(open, questions[i]), append(items, p.items[i])
		}
	}
	p.items = items
	return open, nil
}

// findColumns collects the branches that any item has, newest first.
func (p *pendingView) findColumns() {
	for i := range p.items {
		for _, t := range p.items[i].Targets {
			if !slices.Contains(p.columns, t.Branch) {
				p.columns = append(p.columns, t.Branch)
			}
		}
	}
	order := p.one.Targets(convention.Request{}, p.one.Branches())
	slices.SortStableFunc(p.columns, func(a, b string) int { return cmp.Compare(slices.Index(order, a), slices.Index(order, b)) })
}

func (p *pendingView) printJSON() error {
	if p.items == nil {
		p.items = []pendingItem{}
	}
	return printJSON(p.a.stdout, p.items)
}

// print prints the table, in the order of the branch, and below it the counts.
func (p *pendingView) print(w io.Writer) {
	s := styleFor(p.a.stdout)
	if len(p.items) == 0 {
		fmt.Fprintln(w, "nothing is pending")
		return
	}
	widths := make([]int, len(p.columns))
	for i, name := range p.columns {
		widths[i] = runewidth.StringWidth(name)
		for j := range p.items {
			widths[i] = max(widths[i], runewidth.StringWidth(p.cell(&p.items[j], name)))
		}
	}
	heading := column("COMMIT", revisionWidth) + "  " + column("COMMITTER", whoWidth) + "  " + column("READY", readyWidth)
	for i, name := range p.columns {
		heading += "  " + column(name, widths[i])
	}
	fmt.Fprintln(w, s.bold(heading+"  SUBJECT"))
	for i := range p.items {
		p.printItem(w, s, &p.items[i], widths)
	}
}

// readyWidth is the width of the column with the day, in cells.
const readyWidth = len("since Mon 30 Nov 2026")

func (p *pendingView) printItem(w io.Writer, s style, item *pendingItem, widths []int) {
	ready := ""
	switch {
	case item.Dangling:
		ready = item.Asked
	case item.Due == "":
		ready = "not understood"
	case p.today.Before(item.day):
		ready = "on " + item.day.Short(p.today)
	default:
		ready = "since " + item.day.Short(p.today)
	}
	line := s.yellow(column(commit.ShortRevision(item.Revision), revisionWidth)) + "  " + column(cmp.Or(item.Committer.Login(), item.Committer.Name), whoWidth) + "  " + column(ready, readyWidth)
	for i, name := range p.columns {
		line += "  " + column(p.cell(item, name), widths[i])
	}
	fmt.Fprintln(w, strings.TrimRight(line+"  "+printable(item.Subject), " "))
	for i := range item.Targets {
		for _, detail := range targetDetails(&item.Targets[i]) {
			fmt.Fprintf(w, "%s  %s\n", strings.Repeat(" ", revisionWidth), s.dim(printable(item.Targets[i].Branch+": "+detail)))
		}
	}
	for _, fix := range item.Fixes {
		fmt.Fprintf(w, "  + %s  %s\n", s.yellow(commit.ShortRevision(fix.Revision)), printable(fix.Subject))
	}
}

// cell returns the state of a commit on a branch.
func (p *pendingView) cell(item *pendingItem, name string) string {
	for i := range item.Targets {
		if item.Targets[i].Branch == name {
			return stateWords(&item.Targets[i])
		}
	}
	return "-"
}

// stateWords returns the state of a target in few words.
func stateWords(t *backport.Target) string {
	words := strings.ReplaceAll(string(t.State), "-", " ")
	if t.By != "" {
		words += " " + commit.ShortRevision(t.By)
	}
	return words
}

// targetDetails returns what else there is to say about a target.
func targetDetails(t *backport.Target) (all []string) {
	if len(t.Files) > 0 {
		all = append(all, "conflict in "+strings.Join(t.Files, ", "))
	}
	if len(t.Needs) > 0 {
		var short []string
		for _, need := range t.Needs {
			short = append(short, commit.ShortRevision(need))
		}
		all = append(all, "applies after "+strings.Join(short, " "))
	}
	if t.Why != "" {
		all = append(all, t.Why)
	}
	return all
}
