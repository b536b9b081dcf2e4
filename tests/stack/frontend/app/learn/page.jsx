// The lessons page, rendered on the server at each request.
export const dynamic = "force-dynamic";
export default function Learn() {
  return (
    <>
      <h1>Your lessons</h1>
      <ul>
        <li>Greetings</li>
        <li>Numbers</li>
        <li>At the station</li>
      </ul>
    </>
  );
}
