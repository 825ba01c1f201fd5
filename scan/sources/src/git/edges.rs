/// A tree, one that holds it, and a digest of the name that it has there. Trees are told by their numbers.
pub(crate) type Edge = (u32, u32, u32);

/// From every tree the edges that lead to those that hold it, or the other way round.
pub(crate) struct Edges {
    /// By the number of a tree: where the edges that begin at it begin in `ends`; and one number more.
    firsts: Vec<u32>,
    /// The other end, and the name.
    ends: Vec<(u32, u32)>,
}

impl Edges {
    /// Of trees whose numbers are below `numbers`, in whatever order the edges come.
    pub(crate) fn new(numbers: usize, edges: impl Iterator<Item = Edge> + Clone) -> Self {
        let mut firsts = vec![0u32; numbers + 1];
        edges.clone().for_each(|(start, ..)| firsts[start as usize + 1] += 1);
        for tree in 0..numbers {
            firsts[tree + 1] += firsts[tree];
        }
        let mut next = firsts.clone();
        let mut ends = vec![(0, 0); firsts[numbers] as usize];
        for (start, end, name) in edges {
            ends[next[start as usize] as usize] = (end, name);
            next[start as usize] += 1;
        }
        Self { firsts, ends }
    }

    /// Where those end that begin at a tree, and their names.
    pub(crate) fn of(&self, tree: u32) -> &[(u32, u32)] {
        let tree = tree as usize;
        &self.ends[self.firsts[tree] as usize..self.firsts[tree + 1] as usize]
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Edge> + Clone {
        let trees = 0..self.firsts.len() as u32 - 1;
        trees.flat_map(|tree| self.of(tree).iter().map(move |(end, name)| (tree, *end, *name)))
    }

    /// Each edge from its end to its start.
    pub(crate) fn reversed(&self) -> Self {
        Self::new(self.firsts.len() - 1, self.iter().map(|(start, end, name)| (end, start, name)))
    }

    /// Marks what they lead to, however many of them in a row, from where some begin.
    pub(crate) fn spread(&self, mut from: Vec<u32>, marked: &mut [bool]) {
        while let Some(tree) = from.pop() {
            if !std::mem::replace(&mut marked[tree as usize], true) {
                from.extend(self.of(tree).iter().map(|(end, _)| end));
            }
        }
    }
}
