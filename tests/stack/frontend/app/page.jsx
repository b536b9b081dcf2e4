// The home page, rendered on the server at each request.
export const dynamic = "force-dynamic";
export default function Home() {
  return (
    <>
      <h1>Learn a language</h1>
      <p>Courses with a tutor who is always there.</p>
      <a href="/learn">Your lessons</a>
    </>
  );
}
