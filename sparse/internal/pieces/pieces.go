// Package pieces does work that falls into pieces on all cores, and hands over the results in
// order, so that they are the same whatever the number of cores.
package pieces

import (
	"runtime"
	"sync"
)

// Places returns how many pieces to have in hand at once: one on a single core, and otherwise two
// for each, so that no core waits for an earlier piece of another.
func Places() int {
	if n := runtime.GOMAXPROCS(0); n > 1 {
		return 2 * n
	}
	return 1
}

// Run takes pieces one after another, works on several at once, and hands them over one after
// another in the order in which they were taken. Each piece has a place of its own in the meantime,
// which a later piece takes over with what the one before has left there. With a single place
// everything happens in the caller's goroutine.
//
// The function take fills the place with the next piece and returns whether there was one; work
// may run for several places at once; done gets the piece that is next in order. Run ends with the
// first error in that order: of take, which puts an end to the pieces, or of done.
func Run[P any](places []P, take func(*P) (bool, error), work func(*P), done func(*P) error) error {
	r := &run[P]{places: places, take: take, work: work, done: done}
	r.turn.L = &r.handing
	r.worker(0)
	r.wait.Wait()
	return r.err
}

type run[P any] struct {
	places []P
	take   func(*P) (bool, error)
	work   func(*P)
	done   func(*P) error
	wait   sync.WaitGroup

	taking sync.Mutex // held while a piece is taken
	taken  int
	over   bool // no piece is left, or none is wanted any more

	handing sync.Mutex // held while a piece is handed over
	turn    sync.Cond
	handed  int
	err     error
}

// worker passes pieces through one place. Each of the first pieces starts the worker of the next
// place, so that a few pieces take no more workers than that.
func (r *run[P]) worker(place int) {
	p := &r.places[place]
	for {
		r.taking.Lock()
		if r.over {
			r.taking.Unlock()
			return
		}
		ok, err := r.take(p)
		at := r.taken
		r.taken++
		r.over = !ok || err != nil
		over := r.over
		r.taking.Unlock()
		if over && err == nil {
			return
		}
		if next := at + 1; next < len(r.places) && !over {
			r.wait.Go(func() { r.worker(next) })
		}
		if !over {
			r.work(p)
		}
		if !r.hand(p, at, err) {
			r.taking.Lock()
			r.over = true
			r.taking.Unlock()
			return
		}
	}
}

// hand waits for the turn of a piece, hands it over unless there was an error already, and reports
// whether there is none.
func (r *run[P]) hand(p *P, at int, err error) bool {
	r.handing.Lock()
	defer r.handing.Unlock()
	for r.handed != at {
		r.turn.Wait()
	}
	if r.err == nil && err == nil {
		err = r.done(p)
	}
	if r.err == nil {
		r.err = err
	}
	r.handed++
	r.turn.Broadcast()
	return r.err == nil
}
